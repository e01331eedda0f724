import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import type { Snapshots } from '../../content/snapshots.ts';
import type { OrganizationRow, PageOf, Paging } from '../../store/access.ts';
import type { DeviceFilter, DeviceRow } from '../../store/devices.ts';
import type { Store } from '../../store/store.ts';

/** What the tools read from. Nothing in here changes anything. */
export interface ReadParts {
  store: Store;
  /** Versions of configurations, without their secrets. */
  snapshots: Pick<Snapshots, 'version' | 'view' | 'diff'>;
  /** When a device was heard last; undefined when it is not here. */
  heardAt(deviceId: string): number | undefined;
  /** What is desired for, confirmed by, and seen on devices. */
  syncStatus(
    organization: OrganizationRow,
    page: { filter: Pick<DeviceFilter, 'ids' | 'driftStatus'>; paging: Paging },
  ): Promise<PageOf<object>>;
}

/** One thing that the model may look at, within one organization. */
export interface ReadTool {
  name: string;
  description: string;
  parameters: z.ZodType;
  read(parts: ReadParts, organization: OrganizationRow, args: unknown): Promise<unknown>;
}

/** Keeps the type of the arguments between schema and function. */
export const readTool = <Schema extends z.ZodType>(tool: {
  name: string;
  description: string;
  parameters: Schema;
  read(parts: ReadParts, organization: OrganizationRow, args: z.output<Schema>): Promise<unknown>;
}): ReadTool => ({
  ...tool,
  // The caller has parsed the arguments by the schema beside.
  read: (parts, organization, args) => tool.read(parts, organization, args as z.output<Schema>),
});

/** So many rows at most in one answer. */
const maxRows = 50;

export const page = {
  page: z.int().min(1).max(10_000).default(1),
  limit: z.int().min(1).max(maxRows).default(20).describe('rows'),
};
export const device = z.string().min(1).max(128).describe('name or id of a device');

/** Rows with what is needed to ask for more. */
export function rows<Row>(
  { items, total }: PageOf<Row>,
  { page: at, limit }: { page: number; limit: number },
  show: (row: Row) => unknown,
): unknown {
  return { items: items.map(show), total, page: at, pages: Math.ceil(total / limit) };
}

export const pagingOf = ({ page: at, limit }: { page: number; limit: number }): Paging => ({
  page: at,
  perPage: limit,
});

/** Throws `not_found`, also for a device of another organization. */
export async function findDevice(
  { store: { devices } }: ReadParts,
  organization: OrganizationRow,
  nameOrId: string,
): Promise<DeviceRow> {
  const found = (await devices.get(nameOrId)) ?? (await devices.byName(organization.id, nameOrId));
  if (found?.organizationId === organization.id) return found;
  const named = await devices.byName(organization.id, nameOrId);
  if (named === undefined) throw new AppError('not_found', `There is no device ${nameOrId}`);
  return named;
}

export const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
