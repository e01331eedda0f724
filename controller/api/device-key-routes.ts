import { CreatedEnrolmentToken } from '../../shared/api/access.ts';
import { Device, RebindDevice } from '../../shared/api/devices.ts';
import { SignedKeyChange } from '../../shared/protocol/key-change.ts';
import { DeviceKeyAnswer, deviceKeyPath } from '../../shared/protocol/transfer.ts';
import { DevicePath, ownDevice } from './own-device.ts';
import { deviceRoute, type Route, route } from './route.ts';
import { showEnrolmentToken } from './show-access.ts';
import { showDevice } from './show-device.ts';
import { expiryOf } from './token-expiry.ts';

const root = '/api/v1/organizations/:organization/devices/:device';
const tag = 'devices';

const change = (path: string, method: 'rotateKey' | 'revoke', summary: string) =>
  route({
    method: 'POST',
    path: `${root}/${path}`,
    role: 'admin',
    tag,
    summary,
    params: DevicePath,
    answer: Device,
    errors: ['conflict'],
    handle: async (call) => {
      const { parts, principal, actor } = call;
      const { name } = await ownDevice(call);
      const row = await parts.core.devices[method](actor, name);
      return showDevice(row, principal.organization, parts.core.devices);
    },
  });

const rebind = route({
  method: 'POST',
  path: `${root}/rebind`,
  role: 'admin',
  tag,
  summary: 'Make a token with which another machine takes the place of a device; the text is shown only now',
  params: DevicePath,
  body: RebindDevice,
  answer: CreatedEnrolmentToken,
  errors: ['name_taken'],
  handle: async (call) => {
    const { parts, principal, actor, body } = call;
    const { id, name } = await ownDevice(call);
    const now = parts.clock.now();
    const { row, ticket } = await parts.core.tokens.mintEnrolmentToken(actor, principal.organization, {
      name: `rebind ${name} ${parts.random.uuid().slice(0, 8)}`,
      maxUses: 1,
      autoApprove: false,
      labels: {},
      expiresAt: expiryOf(body.expires_in_seconds, now),
      device: { id, name },
    });
    return { ...showEnrolmentToken(row, now), token: ticket };
  },
});

const hold = deviceRoute({
  method: 'POST',
  path: deviceKeyPath,
  role: 'device',
  tag: 'device transfers',
  summary: 'Show a new key, signed with it and with the one before',
  body: SignedKeyChange,
  answer: DeviceKeyAnswer,
  errors: ['conflict'],
  handle: async ({ parts, device, body }) => ({ next: await parts.core.deviceKeys.hold(device.id, body) }),
});

export const deviceKeyRoutes: Route[] = [
  change('rotate-key', 'rotateKey', 'Let a device make a new key; both are accepted until it comes with it'),
  change('revoke', 'revoke', 'Refuse the key of a device for ever; another machine may take its place'),
  rebind,
  hold,
];
