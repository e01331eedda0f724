import type { Account } from '../../shared/api/accounts.ts';
import type { View } from '../output/view.ts';

export const accountView: View<Account> = {
  noun: 'accounts',
  key: ({ email }) => email,
  columns: [
    { head: 'E-MAIL', value: ({ email }) => email },
    { head: 'NAME', value: ({ name }) => name },
    { head: 'ROLE', value: ({ role }) => role },
    { head: 'STATUS', value: ({ status }) => status },
    { head: 'LAST LOGIN', value: ({ last_login }, paint) => paint.time(last_login) || 'never' },
  ],
  fields: (account, paint) => [
    ['E-mail', account.email],
    ['Name', account.name],
    ['Role', account.role],
    ['Status', account.status],
    ['Last login', paint.time(account.last_login) || 'never'],
    ['Created', paint.time(account.created_at)],
    ['Updated', paint.time(account.updated_at)],
  ],
};
