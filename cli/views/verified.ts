import { bytesText } from '../output/bytes.ts';
import type { View } from '../output/view.ts';

/** What an archive proved to be when it was opened here. */
export interface Verified {
  archive: string;
  ok: true;
  level: string;
  device_name: string;
  made_at: string;
  profile: { id: string; rev: number };
  key_fingerprint: string;
  files: number;
  plain_bytes: number;
  drill: { task: string; files: number; left: { path: string; reason: string }[] } | null;
}

export const verifiedView: View<Verified> = {
  noun: 'archives',
  key: ({ archive }) => archive,
  columns: [],
  fields: (verified, paint) => [
    ['Archive', verified.archive],
    ['Device', verified.device_name],
    ['Made', paint.time(verified.made_at)],
    ['Signature', 'valid'],
    ['Key fingerprint', verified.key_fingerprint],
    ['Files', `${verified.files}, each as the manifest says`],
    ['Size', bytesText(verified.plain_bytes)],
    ['Profile', `${verified.profile.id} ${verified.profile.rev}`],
    [
      'Drill',
      verified.drill === null ? '' : `${verified.drill.files} files accepted, task ${verified.drill.task}`,
    ],
    ...(verified.drill?.left ?? []).map(({ path, reason }): [string, string] => [
      'Left out',
      `${path}: ${reason}`,
    ]),
    ['Level', verified.level],
  ],
};
