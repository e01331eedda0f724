import { readFileSync } from 'node:fs';

interface TestResult {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
}

/**
 * `N passed, N failed[, N skipped]` from the test runner's JSON. A file that failed without a failing test (it could not be loaded) counts
 * as one failure, and so does a runner that failed although every test passed.
 */
export function closingLine(result: TestResult, exitStatus: number): { line: string; failed: number } {
  const brokenFiles = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  ).length;
  const counted = result.numFailedTests + brokenFiles;
  const failed = counted === 0 && (exitStatus !== 0 || !result.success) ? 1 : counted;
  const skipped = result.numPendingTests + result.numTodoTests;
  const line = `${result.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return { line, failed };
}

if (import.meta.main) {
  const [path = '', status = '1'] = process.argv.slice(2);
  const result = JSON.parse(readFileSync(path, 'utf8')) as TestResult;
  for (const { name, assertionResults } of result.testResults) {
    for (const one of assertionResults) {
      if (one.status === 'failed') process.stdout.write(`failed: ${name}: ${one.fullName}\n`);
      if (one.status !== 'failed' && one.status !== 'passed') {
        process.stdout.write(`skipped: ${name}: ${one.fullName}\n`);
      }
    }
  }
  const { line, failed } = closingLine(result, Number(status));
  process.stdout.write(`${line}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}
