// Parts without JupyterLab around them, in jsdom; the whole is tried in a browser (tests/e2e).
export default {
  testEnvironment: 'jsdom',
  roots: ['<rootDir>/tests'],
  setupFiles: ['<rootDir>/tests/setup.cjs'],
  transform: {
    // JupyterLab's and Lumino's packages are ES modules, which jest 29 reads only when transformed.
    '\\.(m?[jt]sx?)$': [
      'ts-jest',
      {
        tsconfig: {
          ...compiler(),
          allowJs: true,
          isolatedModules: true,
          module: 'commonjs',
          moduleResolution: 'node10'
        },
        diagnostics: false
      }
    ]
  },
  transformIgnorePatterns: [
    '/node_modules/(?!(@jupyterlab|@jupyter|@lumino|lib0|y-protocols|yjs)/)'
  ],
  moduleNameMapper: { '\\.(css|svg)$': '<rootDir>/tests/empty.cjs' }
};

function compiler() {
  return { jsx: 'react', target: 'ES2022', esModuleInterop: true, lib: ['DOM', 'ES2022'] };
}
