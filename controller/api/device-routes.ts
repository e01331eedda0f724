import { z } from 'zod';
import { ChangeLabels, Device, DeviceList, RenameDevice, ReplaceLabels } from '../../shared/api/devices.ts';
import { DeviceQuery } from '../../shared/api/devices.ts';
import type { DeviceRow } from '../store/devices.ts';
import { findDevices } from './find-devices.ts';
import { listPage } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { DevicePath, ownDevice } from './own-device.ts';
import { type Call, type Route, route } from './route.ts';
import { showDevice } from './show-device.ts';

const root = '/api/v1/organizations/:organization/devices';
const tag = 'devices';

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List devices',
  params: OrganizationPath,
  query: DeviceQuery,
  answer: DeviceList,
  handle: async (call) => listPage(await findDevices(call), call.query, (row) => show(call, row)),
});

const describe = route({
  method: 'GET',
  path: `${root}/:device`,
  role: 'viewer',
  tag,
  summary: 'Describe one device',
  params: DevicePath,
  answer: Device,
  handle: async (call) => show(call, await ownDevice(call)),
});

/** Approve, enable and disable decide who is trusted: only an admin may. */
const change = (action: 'approve' | 'enable' | 'disable', summary: string) =>
  (['PUT', 'POST'] as const).map((method) =>
    route({
      method,
      path: `${root}/:device/${action}`,
      role: 'admin',
      tag,
      summary,
      params: DevicePath,
      body: z.strictObject({}),
      answer: Device,
      errors: ['conflict'],
      handle: async (call) => {
        const { name } = await ownDevice(call);
        return show(call, await call.parts.core.devices[action](call.actor, name));
      },
    }),
  );

const rename = route({
  method: 'PUT',
  path: `${root}/:device/rename`,
  role: 'operator',
  tag,
  summary: 'Rename a device',
  params: DevicePath,
  body: RenameDevice,
  answer: Device,
  errors: ['name_taken'],
  handle: async (call) => {
    const { name } = await ownDevice(call);
    return show(call, await call.parts.core.devices.rename(call.actor, name, call.body.new_name));
  },
});

const remove = route({
  method: 'DELETE',
  path: `${root}/:device`,
  role: 'admin',
  tag,
  summary: 'Remove a device: its open tasks fail, its key is worth nothing, its history stays',
  params: DevicePath,
  handle: async (call) => {
    const { name } = await ownDevice(call);
    await call.parts.core.devices.remove(call.actor, name);
  },
});

const Labelled = z.object({ labels: z.record(z.string(), z.string()) });

const labels = route({
  method: 'GET',
  path: `${root}/:device/labels`,
  role: 'viewer',
  tag,
  summary: 'Read the labels of a device',
  params: DevicePath,
  answer: Labelled,
  handle: async (call) => ({ labels: (await ownDevice(call)).labels }),
});

const replaceLabels = route({
  method: 'PUT',
  path: `${root}/:device/labels`,
  role: 'operator',
  tag,
  summary: 'Replace all labels of a device',
  params: DevicePath,
  body: ReplaceLabels,
  answer: Device,
  handle: async (call) => {
    const { name } = await ownDevice(call);
    return show(call, await call.parts.core.devices.replaceLabels(call.actor, name, call.body.labels));
  },
});

const changeLabels = route({
  method: 'PATCH',
  path: `${root}/:device/labels`,
  role: 'operator',
  tag,
  summary: 'Set some labels of a device; null removes one',
  params: DevicePath,
  body: ChangeLabels,
  answer: Device,
  handle: async (call) => {
    const { name } = await ownDevice(call);
    return show(call, await call.parts.core.devices.changeLabels(call.actor, name, call.body.labels));
  },
});

export const deviceRoutes: Route[] = [
  list,
  describe,
  ...change('approve', 'Approve a device that waits for it; also lifts a quarantine'),
  ...change('enable', 'Enable a device that was disabled'),
  ...change('disable', 'Disable a device: its link is closed, its tasks wait'),
  rename,
  remove,
  labels,
  replaceLabels,
  changeLabels,
];

const show = ({ parts, principal }: Call, row: DeviceRow): Device =>
  showDevice(row, principal.organization, parts.core.devices);
