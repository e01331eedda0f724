import {
  PutVariable,
  Variable,
  VariableKey,
  VariableList,
  VariableQuery,
} from '../../shared/api/variables.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';

const path = '/api/v1/organizations/:organization/variables';
const tag = 'configuration';

const list = route({
  method: 'GET',
  path,
  role: 'viewer',
  tag,
  summary: 'List variables; values of secret ones are never shown',
  params: OrganizationPath,
  query: VariableQuery,
  answer: VariableList,
  handle: async ({ parts, principal, query }) => {
    const { variables } = parts.configuration;
    const page = await variables.list(principal.organization.id, query, pagingOf(query));
    return listPage(page, query, (variable) => variable);
  },
});

const put = route({
  method: 'PUT',
  path,
  role: 'operator',
  tag,
  summary: 'Set a variable of the organization, of a label group, or of a device',
  params: OrganizationPath,
  body: PutVariable,
  answer: Variable,
  errors: ['conflict', 'unavailable'],
  handle: ({ parts, actor, body }) => parts.configuration.variables.put(actor, body),
});

const remove = route({
  method: 'DELETE',
  path,
  role: 'operator',
  tag,
  summary: 'Delete a variable',
  params: OrganizationPath,
  query: VariableKey,
  handle: async ({ parts, actor, query }) => {
    await parts.configuration.variables.remove(actor, query);
  },
});

export const variableRoutes: Route[] = [list, put, remove];
