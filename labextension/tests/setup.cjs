// What Lumino expects of a browser as it loads, and jsdom lacks.
globalThis.DragEvent ??= class DragEvent extends MouseEvent {};
