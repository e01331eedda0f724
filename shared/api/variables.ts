import { z } from 'zod';
import { PageQuery, Timestamp, listOf } from './common.ts';

export const VariableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'expected a name of letters, digits and _');

/** Where a variable holds. A device's value goes before a label group's, that before the organization's; two label groups that differ for one device are an error of that device. */
export const VariableScope = z.enum(['organization', 'label', 'device']);
export type VariableScope = z.output<typeof VariableScope>;

/** JSON. Not recursive, because documents about the API would have to be. */
const Value = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.array(z.unknown()),
  z.record(z.string(), z.unknown()),
]);

/** PUT /api/v1/organizations/{organization}/variables */
export const PutVariable = z.strictObject({
  name: VariableName,
  scope: VariableScope.default('organization'),
  /** `label`: key=value; `device`: its name; `organization`: absent. */
  key: z.string().max(256).optional().describe('key=value of the label group, or name of the device'),
  value: Value.describe('text, number, truth value, list or object'),
  secret: z.boolean().default(false).describe('stored encrypted, never shown again; must be text'),
});
export type PutVariable = z.output<typeof PutVariable>;

export const Variable = z.object({
  name: z.string(),
  scope: VariableScope,
  key: z.string().nullable(),
  secret: z.boolean(),
  value: Value.describe('null when secret'),
  updated_by: z.string(),
  updated_at: Timestamp,
});
export type Variable = z.output<typeof Variable>;
export const VariableList = listOf(Variable);
export const VariableQuery = z.strictObject({
  scope: VariableScope.optional(),
  key: z.string().max(256).optional(),
  ...PageQuery,
});
/** DELETE with the same three. */
export const VariableKey = z.strictObject({
  name: VariableName,
  scope: VariableScope.default('organization'),
  key: z.string().max(256).optional(),
});
