import type { Variable } from '../../shared/api/variables.ts';
import type { View } from '../output/view.ts';

export const variableView: View<Variable> = {
  noun: 'variables',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'SCOPE', value: ({ scope }) => scope },
    { head: 'OF', value: ({ key }) => key },
    { head: 'VALUE', value: (variable) => shortened(valueText(variable)) },
    { head: 'UPDATED', value: ({ updated_at }, paint) => paint.time(updated_at) },
    { head: 'BY', value: ({ updated_by }) => updated_by },
  ],
  fields: (variable, paint) => [
    ['Name', variable.name],
    ['Scope', variable.scope],
    ['Of', variable.key],
    ['Secret', variable.secret ? 'yes' : ''],
    ['Value', valueText(variable)],
    ['Updated', paint.time(variable.updated_at)],
    ['Updated by', variable.updated_by],
  ],
};

function valueText({ secret, value }: Variable): string {
  if (secret) return '(secret)';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text);
