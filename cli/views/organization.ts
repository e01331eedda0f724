import type { Organization } from '../../shared/api/access.ts';
import type { View } from '../output/view.ts';

export const organizationView: View<Organization> = {
  noun: 'organizations',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'CALLED', value: ({ display_name }) => display_name },
    { head: 'ROLE', value: ({ role }) => role },
    { head: 'DEVICES', value: ({ device_count }) => String(device_count) },
  ],
  fields: (organization, paint) => [
    ['Name', organization.name],
    ['Called', organization.display_name],
    ['Id', organization.id],
    ['Your role', organization.role],
    ['Devices', organization.device_count],
    ['Created', paint.time(organization.created_at)],
  ],
};
