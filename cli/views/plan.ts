import type { DevicePlan } from '../../shared/api/sync.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';

export const planView: View<DevicePlan> = {
  noun: 'devices',
  key: ({ device_name }) => device_name,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'CHANGES', value: ({ changes, error }) => (error === null ? changes : '') },
    { head: 'FILES', value: ({ files }) => shortened(changedFiles(files)) },
    { head: 'DRIFT', value: ({ drift_status }, paint) => painted(paint.state(drift_status)) },
    { head: 'BUNDLES', value: bundlesText },
    { head: 'NOTE', value: noteText },
  ],
  fields: () => [],
};

/** `base 3, branch 1` */
export function bundlesText({ bundles }: DevicePlan): string {
  return bundles.map(({ name, revision }) => `${name} ${revision}`).join(', ');
}

/** Why there is no plan, or why it would not be applied. */
export function noteText({ error, quarantined }: DevicePlan): string {
  if (error !== null) return `${error.code}: ${error.message}`;
  return quarantined ? 'quarantined: it was rolled back here' : '';
}

const changedFiles = (files: DevicePlan['files']): string =>
  files
    .filter(({ change }) => change !== 'none')
    .map(({ path }) => path)
    .join(', ');

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text);
