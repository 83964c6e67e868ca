import tseslint from 'typescript-eslint';

/** Only what needs types: lost promises and missed cases are the dear mistakes in a server. The rest is Biome's. */
export default tseslint.config(
  { ignores: ['**/dist/**', 'apps/console/**', 'packages/kernels/assembly/**', '**/*.mjs', '**/*.js'] },
  // Tests are parsed and no more: a list of changed files that names one is no reason for a warning.
  { files: ['**/*.test.ts', '**/*.bench.ts'], languageOptions: { parser: tseslint.parser } },
  {
    files: ['**/*.ts'],
    ignores: ['**/*.test.ts', '**/*.bench.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
);
