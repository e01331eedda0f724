import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import type { DeviceRow } from '../store/devices.ts';
import { OrganizationPath } from './organization-path.ts';
import type { Call } from './route.ts';

/** Path parameters of one device of an organization. */
export const DevicePath = OrganizationPath.extend({ device: z.string().max(128).describe('name or uuid') });

/** By uuid before name: a name that looks like another device's uuid must not stand in for it. */
export async function ownDevice({
  parts,
  principal,
  params,
}: Call<z.output<typeof DevicePath>>): Promise<DeviceRow> {
  const organizationId = principal.organization.id;
  const { devices } = parts.store;
  const byId = z.uuid().safeParse(params.device).success ? await devices.get(params.device) : undefined;
  if (byId?.organizationId === organizationId) return byId;

  const byName = await devices.byName(organizationId, params.device);
  if (byName === undefined) {
    throw new AppError(
      'not_found',
      `Device ${params.device} does not exist in organization ${principal.organization.name}`,
    );
  }
  return byName;
}
