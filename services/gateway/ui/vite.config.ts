import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { budget } from './build/budget.ts';
import { compressed } from './build/compressed.ts';
import { FIRST, firstScript } from './build/firstScript.ts';
import { mantineStyles } from './build/mantineStyles.ts';

const gateway = process.env.RUNYARD_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), mantineStyles(), firstScript(), compressed(), budget()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // what the gateway serves: part of its package, so that a wheel has it too
  build: {
    outDir: '../runyard_gateway/web',
    emptyOutDir: true,
    target: 'es2023',
    sourcemap: false,
    manifest: true,
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      // React's own, which libraries do not mark as such: what they make and nobody uses is left out
      treeshake: { manualPureFunctions: ['memo', 'forwardRef', 'createContext'] },
      output: {
        codeSplitting: {
          groups: [
            { name: FIRST, test: /\/src\/first\.ts$/, priority: 1 },
            // one file instead of fifty: browsers ask for six at a time
            { name: 'app', tags: ['$initial'] },
            { name: 'icons', test: /\/@tabler\//, minShareCount: 2 },
          ],
        },
      },
    },
  },
  // the Host stays that of the browser: the gateway takes no commands from the pages of another site
  server: {
    proxy: Object.fromEntries(
      ['/api', '/readyz', '/docs', '/openapi.json', '/asyncapi.json', '/metrics'].map((path) => [
        path,
        { target: gateway, changeOrigin: false },
      ]),
    ),
  },
  test: {
    restoreMocks: true,
    // only what is drawn needs a document, which takes longer to make than most tests take
    projects: [
      { extends: true, test: { name: 'logic', environment: 'node', include: ['src/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'parts',
          environment: 'jsdom',
          include: ['src/**/*.test.tsx'],
          setupFiles: ['src/test/setup.ts'],
        },
      },
    ],
  },
});
