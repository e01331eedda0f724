import type { DevicePlan, PlannedFile } from '../../shared/api/sync.ts';
import type { z } from 'zod';
import { diffText } from '../output/diff.ts';
import type { Paint } from '../output/paint.ts';
import { plain } from '../output/plain.ts';
import type { OutStream } from '../terminal.ts';
import { bundlesText } from './plan.ts';

/** One device's plan for people: a head line, what it is compared with, then each file that changes. */
export function planText(plan: DevicePlan, paint: Paint, stream: OutStream): string {
  const lines = [paint.strong(`${plain(plan.device_name)}: ${summaryOf(plan)}`), ...headLines(plan, paint)];
  const files = plan.files.filter(({ change }) => change !== 'none');
  const parts = files.map((file) => fileText(file, paint, stream));
  return `${lines.join('\n')}\n${parts.join('')}`;
}

function summaryOf({ error, changes }: DevicePlan): string {
  if (error !== null) return 'cannot be rendered';
  if (changes === 0) return 'nothing changes';
  return changes === 1 ? '1 file changes' : `${changes} files change`;
}

function headLines(plan: DevicePlan, paint: Paint): string[] {
  const { error, profile, quarantined, pulled_at } = plan;
  if (error !== null) {
    return [
      `  ${error.code}: ${plain(error.message)}`,
      ...listed('undefined variables', error.undefined_variables),
      ...listed('conflicts', error.conflicts),
    ];
  }
  const compared = pulled_at === null ? 'never pulled' : `compared with ${paint.time(pulled_at)}`;
  return [
    `  bundles ${bundlesText(plan) || 'none'}; profile ${profile ?? 'none'}; ${compared}; ${paint.state(plan.drift_status)}`,
    ...(quarantined
      ? [`  quarantined: this was rolled back here; allow it with: muster sync release ${plan.device_name}`]
      : []),
  ];
}

const listed = (what: string, names: string[]): string[] =>
  names.length === 0 ? [] : [`  ${what}: ${names.map(plain).join(', ')}`];

const says: Record<z.output<typeof PlannedFile>['change'], string> = {
  create: 'is created',
  change: 'changes',
  mode: 'changes mode or owner',
  delete: 'is deleted',
  none: '',
  unknown: 'is written; what is there now was never pulled',
};

function fileText(
  { path, unit, change, diff }: z.output<typeof PlannedFile>,
  paint: Paint,
  stream: OutStream,
): string {
  const head = `  ${plain(path)} (${plain(unit)}) ${says[change] ?? change}\n`;
  return diff === null || diff === '' ? head : `${head}${diffText(diff, paint, stream)}`;
}
