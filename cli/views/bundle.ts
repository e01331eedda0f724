import type { Bundle, BundleTargets } from '../../shared/api/bundles.ts';
import type { View } from '../output/view.ts';
import { labelText } from './device.ts';

export const bundleView: View<Bundle> = {
  noun: 'bundles',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'REVISION', value: ({ revision }) => revision },
    { head: 'PROFILE', value: ({ profile }) => profile },
    { head: 'TARGETS', value: ({ targets }) => targetsText(targets) },
    { head: 'FILES', value: ({ file_count }) => file_count },
    { head: 'UPDATED', value: ({ updated_at }, paint) => paint.time(updated_at) },
    { head: 'BY', value: ({ updated_by }) => updated_by },
  ],
  fields: (bundle, paint) => [
    ['Name', bundle.name],
    ['Revision', bundle.revision],
    ['Profile', bundle.profile],
    ['Description', bundle.description],
    ['Targets', targetsText(bundle.targets)],
    ['Files', bundle.file_count],
    ['Organization', bundle.organization],
    ['Created', paint.time(bundle.created_at)],
    ['Updated', paint.time(bundle.updated_at)],
    ['Updated by', bundle.updated_by],
    ...(bundle.files ?? []).map(({ path, unit, absent, mode, owner, group }): [string, string] => [
      'File',
      [path, `(${unit})`, absent ? 'must not exist' : '', mode, owner, group]
        .filter((part) => part !== undefined && part !== '')
        .join(' '),
    ]),
  ],
};

function targetsText({ all, labels, devices }: BundleTargets): string {
  const parts = [
    all ? 'all devices' : '',
    labels === undefined ? '' : labelText(labels),
    (devices ?? []).join(', '),
  ].filter((part) => part !== '');
  return parts.join('; ') || 'no device';
}
