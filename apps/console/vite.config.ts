import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The page lives below /console/ of a gateway or server. `npx vite` with POLLUX_URL serves it against a running one. */
export default defineConfig({
  base: '/console/',
  plugins: [react()],
  resolve: { conditions: ['@pollux/source', 'module', 'browser', 'development|production'] },
  build: { outDir: 'dist', chunkSizeWarningLimit: 600 },
  server: { proxy: { '/api': process.env.POLLUX_URL ?? 'http://127.0.0.1:9099' } },
});
