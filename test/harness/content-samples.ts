import { ApiDevice, configView, twoRecipients } from './api-device.ts';
import type { ApiUnderTest } from './api.ts';

interface Sample {
  values?: Record<string, string>;
  body?: object;
}

/** A request to a route of versions and backups that would succeed, on things made for it alone; undefined for all other routes. */
export async function contentSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample | undefined> {
  const route = `${method} ${path.replace('/api/v1/organizations/:organization', '')}`;
  if (route.includes('/snapshots')) return pulledSample(api, name);
  if (route.includes('/backups/:archive')) return archiveSample(api, route, name);
  switch (route) {
    case 'POST /pull':
    case 'POST /backups': {
      await api.device(name);
      const config = JSON.stringify({ recipients: twoRecipients });
      await api.store.backupConfigs.set(api.admin.organization.id, config, Date.now());
      return { body: { targets: { devices: [name] } } };
    }
    case 'PUT /backup-config':
      return { body: { recipients: twoRecipients } };
    default:
      return undefined;
  }
}

/** A device with two versions, the first with its original. */
async function pulledSample(api: ApiUnderTest, name: string): Promise<Sample> {
  const device = await ApiDevice.make(api, `pulled-${name}`);
  await device.pull(configView({ '/etc/a': name }), { raw: Buffer.from(`raw ${name}`) });
  await device.pull(configView({ '/etc/a': `${name} changed` }));
  return { values: { device: device.name, version: '1' } };
}

async function archiveSample(api: ApiUnderTest, route: string, name: string): Promise<Sample> {
  const device = await ApiDevice.make(api, `archived-${name}`);
  const { body } = await device.backUp(Buffer.from(`sealed ${name}`));
  const values = { archive: String(body['archive']) };
  if (!route.endsWith('/restorable')) return { values, ...(route.startsWith('POST') && { body: {} }) };
  const order = { generation: 1, manifest: 'a'.repeat(64), manifest_bytes: 1 };
  const task = await device.task('SYNC', { ...order, dry_run: true, reason: 'restore' });
  await device.finish(task);
  return { values, body: { task, files: 1 } };
}
