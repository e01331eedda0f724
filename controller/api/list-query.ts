import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { parsePast } from '../../shared/time.ts';
import type { PageOf, Paging } from '../store/access.ts';

interface PageQuery {
  page: number;
  per_page: number;
}

export const pagingOf = (query: PageQuery): Paging => ({ page: query.page, perPage: query.per_page });

/** The list envelope around one page of rows. */
export const listPage = <Row, Item>(page: PageOf<Row>, query: PageQuery, show: (row: Row) => Item) => ({
  items: page.items.map(show),
  total: page.total,
  page: query.page,
  per_page: query.per_page,
  pages: Math.ceil(page.total / query.per_page),
});

/** `field:asc` or `field:desc`. */
export function parseSort<Field extends string>(
  text: string,
  fields: readonly Field[],
): { sortBy: Field; descending: boolean } {
  const [name, direction, ...rest] = text.split(':');
  const sortBy = fields.find((field) => field === name);
  if (sortBy === undefined || (direction !== 'asc' && direction !== 'desc') || rest.length > 0) {
    throw new AppError(
      'bad_request',
      `sort_by is ${JSON.stringify(text)}: expected one of ${fields.join(', ')}, followed by :asc or :desc`,
      { detail: { field: 'sort_by', fields, directions: ['asc', 'desc'] } },
    );
  }
  return { sortBy, descending: direction === 'desc' };
}

/** A look-back filter of a query string, when it is there. Existing clients send local times without a zone: these count as UTC. */
export function pastFilter(field: string, text: string | undefined, now: Instant): Instant | undefined {
  if (text === undefined) return undefined;
  try {
    // A query string makes a blank of the plus of an offset that was not escaped.
    return parsePast(text.replace(/(:\d\d(?:\.\d+)?) (\d\d:\d\d)$/, '$1+$2'), now, 'UTC');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${field}: ${error.message}`, { detail: error.detail, cause: error });
  }
}
