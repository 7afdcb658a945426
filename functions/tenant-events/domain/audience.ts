/** Who is shown something: a tenant's own people and machines, or operators. */
export type Audience = 'tenant' | 'operator'
