import type { DeviceQuery } from '../../shared/api/devices.ts';
import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { Labels } from '../../shared/ids.ts';
import { parse } from '../../shared/parse.ts';
import type { PageOf } from '../store/access.ts';
import type { DeviceFilter, DeviceRow } from '../store/devices.ts';
import { pagingOf, parseSort, pastFilter } from './list-query.ts';
import type { Call } from './route.ts';

const sortFields: readonly DeviceFilter['sortBy'][] = [
  'name',
  'status',
  'created_at',
  'updated_at',
  'heartbeat',
];

/** One page of the caller's devices. What the store cannot know (patterns, who is online) becomes a list of ids first. */
export async function findDevices({
  parts,
  principal,
  query,
}: Call<unknown, DeviceQuery>): Promise<PageOf<DeviceRow>> {
  const organizationId = principal.organization.id;
  const { core, store } = parts;
  const order = parseSort(query.sort_by, sortFields);
  const labels = wantedLabels(query);
  const times = wantedTimes(query, parts.clock.now());

  let ids = query.name === undefined ? undefined : await core.devices.idsMatching(organizationId, query.name);
  if (query.online !== undefined) {
    const online = new Set(core.devices.onlineIds());
    const among = ids ?? (await store.devices.brief(organizationId)).map(({ id }) => id);
    ids = among.filter((id) => online.has(id) === query.online);
  }
  if (ids?.length === 0) return { items: [], total: 0 };

  const filter = {
    organizationId,
    ...order,
    ...times,
    ...(ids && { ids }),
    ...(query.status && { status: query.status }),
    ...(query.drift_status && { driftStatus: query.drift_status }),
    ...(Object.keys(labels).length > 0 && { labels }),
  };
  return store.devices.list(filter, pagingOf(query));
}

function wantedTimes(query: DeviceQuery, now: Instant): Partial<DeviceFilter> {
  const lastSeenAfter = pastFilter('heartbeat_after', query.heartbeat_after, now);
  const lastSeenBefore = pastFilter('heartbeat_before', query.heartbeat_before, now);
  const syncedAfter = pastFilter('synced_after', query.synced_after, now);
  const syncedBefore = pastFilter('synced_before', query.synced_before, now);
  const createdAfter = pastFilter('created_after', query.created_after, now);
  const createdBefore = pastFilter('created_before', query.created_before, now);
  return {
    ...(lastSeenAfter !== undefined && { lastSeenAfter }),
    ...(lastSeenBefore !== undefined && { lastSeenBefore }),
    ...(syncedAfter !== undefined && { syncedAfter }),
    ...(syncedBefore !== undefined && { syncedBefore }),
    ...(createdAfter !== undefined && { createdAfter }),
    ...(createdBefore !== undefined && { createdBefore }),
  };
}

/** `label=site=berlin,tier=1` and `ou=branches`, as one set of labels. */
function wantedLabels({ label, ou }: DeviceQuery): Labels {
  const pairs: [string, string][] = [];
  for (const pair of label === undefined ? [] : label.split(',')) {
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new AppError(
        'bad_request',
        `label: expected key=value, several separated by commas; ${JSON.stringify(pair)} came`,
        { detail: { field: 'label' } },
      );
    }
    pairs.push([pair.slice(0, at), pair.slice(at + 1)]);
  }
  if (ou !== undefined) pairs.push(['ou', ou]);
  return parse('The query', Labels, Object.fromEntries(pairs));
}
