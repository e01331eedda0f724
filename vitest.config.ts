import { defineConfig } from 'vitest/config';

/** Where `.ci/run` wants the result as JSON, beside what people read. */
const jsonResult = process.env['MUSTER_TEST_RESULT'];

/** Unit tests first, in parallel; what wants both processors for itself comes after them. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    reporters: jsonResult ? ['default', ['json', { outputFile: jsonResult }]] : ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [
            'node_modules/**',
            'test/appliance/**',
            'test/conformance/**',
            'test/lab/**',
            'test/scenarios/**',
            'test/simulation/**',
          ],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'appliance',
          include: ['test/appliance/**/*.test.ts', 'test/lab/**/*.test.ts'],
          testTimeout: 300_000,
          // The first test of a package builds it.
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'scenarios',
          include: ['test/scenarios/**/*.test.ts', 'test/conformance/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
