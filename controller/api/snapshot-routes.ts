import { z } from 'zod';
import {
  DiffQuery,
  SnapshotDiff,
  SnapshotList,
  SnapshotQuery,
  SnapshotView,
} from '../../shared/api/configs.ts';
import { AppError } from '../../shared/errors.ts';
import { bytesOfBlob } from './device-transfer.ts';
import { listPage, pagingOf } from './list-query.ts';
import { DevicePath, ownDevice } from './own-device.ts';
import { type Route, route } from './route.ts';
import { sendBytes } from './send-bytes.ts';
import { showSnapshot, showSnapshotView } from './show-snapshot.ts';

const root = '/api/v1/organizations/:organization/devices/:device/snapshots';
const tag = 'configuration';
const VersionPath = DevicePath.extend({
  version: z
    .string()
    .regex(/^(\d{1,9}|latest)$/, 'expected a number, or latest')
    .describe('a number, or `latest`'),
});

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List the versions of a device’s configuration, newest first',
  params: DevicePath,
  query: SnapshotQuery,
  answer: SnapshotList,
  handle: async (call) => {
    const device = await ownDevice(call);
    const page = await call.parts.store.snapshots.list(device.id, pagingOf(call.query));
    const { retention } = call.parts.content.snapshots;
    return { ...listPage(page, call.query, (row) => showSnapshot(row, device)), retention };
  },
});

const diff = route({
  method: 'GET',
  path: `${root}/diff`,
  role: 'viewer',
  tag,
  summary: 'Compare two versions of a device’s configuration',
  params: DevicePath,
  query: DiffQuery,
  answer: SnapshotDiff,
  errors: ['payload_too_large', 'not_renderable', 'digest_mismatch'],
  handle: async (call) => call.parts.content.snapshots.diff(await ownDevice(call), call.query),
});

const view = route({
  method: 'GET',
  path: `${root}/:version`,
  role: 'viewer',
  tag,
  summary: 'Read one version of a device’s configuration, without its secrets',
  params: VersionPath,
  answer: SnapshotView,
  errors: ['payload_too_large', 'not_renderable', 'digest_mismatch'],
  handle: async (call) => {
    const device = await ownDevice(call);
    const { snapshots } = call.parts.content;
    const row = await snapshots.version(device, call.params.version);
    return showSnapshotView(row, device, await snapshots.view(row));
  },
});

const raw = route({
  method: 'GET',
  path: `${root}/:version/raw`,
  role: 'operator',
  tag,
  summary: 'Download the original of one version, encrypted to the recipients of the organization',
  params: VersionPath,
  produces: 'application/octet-stream',
  errors: ['digest_mismatch'],
  handle: async (call) => {
    const device = await ownDevice(call);
    const row = await call.parts.content.snapshots.version(device, call.params.version);
    if (row.rawSha256 === null) {
      throw new AppError(
        'not_found',
        `Version ${row.version} of ${device.name} has no original in the store`,
      );
    }
    const bytes = await bytesOfBlob(call.parts, row.rawSha256);
    return sendBytes(call, { ...bytes, fileName: `${device.name}-${row.version}.age` });
  },
});

export const snapshotRoutes: Route[] = [list, diff, view, raw];
