import type { Release } from '../../shared/api/releases.ts';
import { agentPackage } from '../../shared/release.ts';
import { bytesText } from '../output/bytes.ts';
import type { View } from '../output/view.ts';

const isAgent = (name = agentPackage): boolean => name === agentPackage;

export const releaseView: View<Release> = {
  noun: 'releases',
  key: ({ name, version }) => (isAgent(name) ? version : `${name}@${version}`),
  columns: [
    { head: 'NAME', value: ({ name = agentPackage }) => name },
    { head: 'VERSION', value: ({ version }) => version },
    { head: 'PLATFORM', value: ({ platform }) => platform },
    { head: 'STATUS', value: ({ status }) => status },
    { head: 'SIZE', value: ({ bytes }) => bytesText(bytes) },
    { head: 'FLOOR', value: ({ floor }) => floor },
    { head: 'ADDED', value: ({ created_at }, paint) => paint.time(created_at) },
  ],
  fields: (release, paint) => [
    ['Name', release.name ?? agentPackage],
    ['Version', release.version],
    ['Platform', release.platform],
    ['Status', release.status],
    ['Size', bytesText(release.bytes)],
    ['SHA-256', release.sha256],
    ['Signed by', release.key_id],
    ['Floor', release.floor],
    ['Added', paint.time(release.created_at)],
    ['Added by', release.created_by],
    ['Promoted', release.promoted_at === null ? '' : paint.time(release.promoted_at)],
    ['Yanked', release.yanked_at === null ? '' : paint.time(release.yanked_at)],
  ],
};
