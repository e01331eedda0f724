import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AgentConfigFile } from '../agent/config.ts';
import { exitCodes } from '../cli/exit-codes.ts';
import { ControllerConfig } from '../controller/config.ts';
import { taskNames } from '../controller/api/views/task-names.ts';
import { DriftStatus } from '../shared/api/sync.ts';
import { ScheduleTaskType } from '../shared/api/task-schedules-view.ts';
import { errorTable } from '../shared/errors.ts';
import { Down } from '../shared/protocol/down.ts';
import { Report } from '../shared/protocol/report.ts';
import { Up } from '../shared/protocol/up.ts';
import { closeCodes } from '../shared/protocol/version.ts';
import { taskStateNames } from '../shared/task-state.ts';
import { taskContracts } from '../shared/task-types/contracts.ts';
import { UnitStatus } from '../shared/task-types/pull.ts';
import { syncErrors } from '../shared/task-types/sync.ts';
import { projectRoot } from './harness/source-files.ts';

const text = (name: string): string => readFileSync(join(projectRoot, 'docs', `${name}.md`), 'utf8');
const unnamed = (document: string, words: readonly string[]): string[] =>
  words.filter((word) => !text(document).includes(word));
const typesOf = (union: { options: readonly { shape: { type: { value: string } } }[] }): string[] =>
  union.options.map(({ shape }) => `\`${shape.type.value}\``);

test('operations tells every exit code as the CLI does', () => {
  const rows = Object.values(exitCodes).map(({ code, says }) => `| ${code} | ${says} |`);
  const told = text('operations').replaceAll('`', '');
  expect(rows.filter((row) => !told.includes(row))).toEqual([]);
});

test('the REST page names every error code with its status, and every task name of the views', () => {
  const rows = text('api').split('\n');
  const untold = Object.entries(errorTable).filter(
    ([code, { status }]) => !rows.some((row) => row.includes(`\`${code}\``) && row.includes(String(status))),
  );
  expect(untold).toEqual([]);
  expect(
    unnamed(
      'api',
      [...Object.values(taskNames), ...ScheduleTaskType.options].map((name) => `\`${name}\``),
    ),
  ).toEqual([]);
});

test('operations names every key of both configurations', () => {
  expect(unnamed('operations', Object.keys(ControllerConfig.shape))).toEqual([]);
  expect(unnamed('operations', Object.keys(AgentConfigFile.shape))).toEqual([]);
});

test('operations names every state, and what a crash means for every type', () => {
  expect(unnamed('operations', taskStateNames)).toEqual([]);
  expect(unnamed('operations', Object.keys(taskContracts))).toEqual([]);
});

test('configuration names every way a sync ends, and every status of devices and units', () => {
  const quoted = [...syncErrors, ...DriftStatus.options].map((word) => `\`${word}\``);
  const units = UnitStatus.options.filter((word) => !/^(in_sync|never_synced)$/.test(word));
  expect(unnamed('configuration', [...quoted, ...units])).toEqual([]);
});

test('protocol names every message and every close code', () => {
  expect(unnamed('protocol', [...typesOf(Up), ...typesOf(Down), ...typesOf(Report)])).toEqual([]);
  const named = Object.entries(closeCodes).filter(([, code]) => code >= 4000);
  expect(
    unnamed(
      'protocol',
      named.map(([name, code]) => `${code} \`${name}\``),
    ),
  ).toEqual([]);
});
