/**
 * The styles of Mantine's components come with the components: each page loads those of what it shows, and nobody has to import
 * any. All are in the cascade layer `mantine`, so that the order in which pages load them does not matter to our own.
 */
import type { Plugin } from 'vite';

const ALL = '@mantine/core/styles.layer.css';
const BASE = '\0mantine-base';
/** What belongs to no component. */
const OF_NONE = ['baseline', 'default-css-variables', 'global'];
/** A component's classes: used by that component alone, and named as its styles are. */
const CLASSES = /\/@mantine\/core\/esm\/.*\/([^/]+)\.module\.mjs$/;

/** In the build only: while developing the app has the styles of all. */
export function mantineStyles(): Plugin {
  return {
    name: 'mantine-styles',
    apply: 'build',
    enforce: 'pre',
    resolveId: (source) => (source === ALL ? BASE : null),
    load: (id) => (id === BASE ? { code: imports(OF_NONE), moduleSideEffects: true } : null),
    transform: {
      filter: { id: CLASSES },
      handler: (code, id) => ({ code: imports(CLASSES.exec(id)?.slice(1) ?? []) + code, map: null }),
    },
  };
}

function imports(names: readonly string[]): string {
  return names.map((name) => `import '@mantine/core/styles/${name}.layer.css';\n`).join('');
}
