import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const server = process.env.POLLUX_URL ?? 'http://127.0.0.1:9099';

/**
 * Two pages: the console, below /console/ of a gateway or server, and an alertmanager's own page at its `/`. Either may
 * lie below a route prefix that the build does not know, so files are named by where the page is. `npx vite` with POLLUX_URL
 * serves both against a running role (the second as /console/alertmanager.html).
 */
export default defineConfig(({ command }) => ({
  base: command === 'serve' ? '/console/' : './',
  plugins: [react()],
  resolve: { conditions: ['@pollux/source', 'module', 'browser', 'development|production'] },
  build: {
    outDir: 'dist',
    chunkSizeWarningLimit: 600,
    rolldownOptions: { input: ['index.html', 'alertmanager.html'] },
  },
  server: {
    proxy: {
      '/api': server,
      '/console/api': { target: server, rewrite: (path) => path.replace('/console', '') },
    },
  },
}));
