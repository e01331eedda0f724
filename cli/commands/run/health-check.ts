import { readFile } from 'node:fs/promises';
import type { Command } from '@commander-js/extra-typings';
import { repeatable } from '../../arguments/argument-parsers.ts';
import { checkForms, parseCheck } from '../../arguments/health-check.ts';
import { CliError, usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { runCommand } from './run-options.ts';
import { submit } from './submit.ts';

const examples = `
Examples:
  muster run health-check --all --wait
  muster run health-check --device fw1 --wait --check disk:/var --check tcp:10.0.0.1:53 --check certificate:example.org

A file for --file, with bounds of its own:
  checks:
    - { check: disk, path: /var, warn_percent: 70, fail_percent: 90 }
    - { check: http, url: https://example.org/, expect_status: 200 }`;

export function addRunHealthCheck(group: Command, open: Open): void {
  runCommand(
    group,
    'health-check',
    'Collect facts and give a verdict for each check (default: disk, memory and load)',
  )
    .option('--check <check>', `${checkForms.join(', ')}; repeatable`, repeatable)
    .option('--file <file>', 'checks with their bounds, as YAML or JSON')
    .addHelpText('after', examples)
    .action(async (options) => {
      const checks = [
        ...(options.file === undefined ? [] : await checksIn(options.file)),
        ...(options.check ?? []).map(parseCheck),
      ];
      const payload = options.file === undefined && options.check === undefined ? {} : { checks };
      await submit(await open(), { type: 'HEALTH_CHECK', payload, options, verb: 'Check' });
    });
}

/** A list of checks, or a mapping with `checks`; each must fit the contract of the task type. */
async function checksIn(file: string): Promise<unknown[]> {
  const [{ parse: fromYaml }, { HealthCheck }, { parse }] = await Promise.all([
    import('yaml'),
    import('../../../shared/task-types/health-check.ts'),
    import('../../../shared/parse.ts'),
  ]);
  let value: unknown;
  try {
    value = fromYaml(await readFile(file, 'utf8'), { schema: 'core' });
  } catch (error) {
    throw new CliError('usage', `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  const parameters = parse(file, HealthCheck.parameters, Array.isArray(value) ? { checks: value } : value);
  const { checks } = parameters as { checks: unknown[] };
  if (checks.length === 0) throw usageError(`${file} holds no checks`);
  return checks;
}
