// Strict type-checked rules; what is switched off says why.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/', 'src/api/schema.ts', 'coverage/', 'style/index.js'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    files: ['**/*.{ts,tsx}'],
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // `namespace` is how Lumino and JupyterLab group a class's options.
      '@typescript-eslint/no-namespace': 'off',
      // Lumino's signals take the slot and its `this` side by side.
      '@typescript-eslint/unbound-method': 'off',
      // Numbers in templates are fine, the rest of the rule stays.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Output of untrusted kernels is shown here: HTML is never built from strings.
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Build DOM with textContent.' },
        { property: 'outerHTML', message: 'Build DOM with textContent.' },
        { property: 'insertAdjacentHTML', message: 'Build DOM with textContent.' }
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          message: 'Build DOM with text nodes.'
        }
      ],
      'no-console': ['error', { allow: ['warn', 'error'] }],
      eqeqeq: 'error',
      curly: 'error'
    }
  },
  { files: ['**/*.{mjs,js,cjs}'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      globals: { module: 'writable', globalThis: 'readonly', MouseEvent: 'readonly' }
    }
  }
);
