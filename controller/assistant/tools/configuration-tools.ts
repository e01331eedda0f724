import { z } from 'zod';
import { device, findDevice, page, pagingOf, readTool, rows, time } from './read-tool.ts';

const version = z.string().regex(/^(\d{1,9}|latest)$/, 'expected a number, or latest');

const listVersions = readTool({
  name: 'list_configuration_versions',
  description: 'The versions of the configuration of a device that were seen, newest first.',
  parameters: z.strictObject({ device, ...page }),
  read: async (parts, organization, args) => {
    const { id } = await findDevice(parts, organization, args.device);
    return rows(await parts.store.snapshots.list(id, pagingOf(args)), args, (row) => ({
      version: row.version,
      reason: row.reason,
      first_seen_at: time(row.firstSeenAt),
      last_seen_at: time(row.lastSeenAt),
      bytes: row.bytes,
      units: row.units.map(({ unit, status, files }) => ({ unit, status, files })),
    }));
  },
});

const readConfiguration = readTool({
  name: 'read_configuration',
  description:
    'One version of the configuration of a device, without its secrets. Without `path` the files are listed; with it the text of one is read.',
  parameters: z.strictObject({
    device,
    version: version.default('latest'),
    path: z.string().max(4096).optional(),
    from_character: z.int().min(0).default(0).describe('to read on in a text that was cut'),
  }),
  read: async ({ snapshots, ...parts }, organization, args) => {
    const found = await findDevice({ snapshots, ...parts }, organization, args.device);
    const row = await snapshots.version(found, args.version);
    const { units } = await snapshots.view(row);
    const files = units.flatMap(({ unit, files: all, running }) => [
      ...all.map(({ path, text = null, withheld = null }) => ({ unit, path, text, withheld })),
      ...(running === undefined ? [] : [{ unit, path: `running:${unit}`, text: running, withheld: null }]),
    ]);
    if (args.path === undefined) {
      return {
        version: row.version,
        files: files.map(({ unit, path, text, withheld }) => ({
          unit,
          path,
          characters: text?.length ?? null,
          withheld,
        })),
      };
    }
    const wanted = files.filter(({ path }) => path === args.path);
    return {
      version: row.version,
      files: wanted.map((file) => ({ ...file, text: file.text?.slice(args.from_character) ?? null })),
    };
  },
});

const diffConfiguration = readTool({
  name: 'diff_configuration',
  description:
    'What changed between two versions of the configuration of a device; without `from`, against the version before.',
  parameters: z.strictObject({ device, from: version.optional(), to: version.default('latest') }),
  read: async (parts, organization, args) =>
    parts.snapshots.diff(await findDevice(parts, organization, args.device), args),
});

export const configurationTools = [listVersions, readConfiguration, diffConfiguration];
