/** An attribute of a SCIM schema (RFC 7643 §7), as far as ours differ from each other. */
export type Attribute = {
  readonly name: string
  readonly type: 'string' | 'boolean' | 'complex' | 'reference' | 'dateTime'
  readonly multiValued: boolean
  readonly required: boolean
  readonly caseExact: boolean
  readonly mutability: 'readWrite' | 'readOnly' | 'immutable'
  readonly uniqueness: 'none' | 'server'
  readonly subAttributes: readonly Attribute[]
}

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group'
export const ENTERPRISE_SCHEMA = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

const text = (name: string, more: Partial<Attribute> = {}): Attribute => ({
  name,
  type: 'string',
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  uniqueness: 'none',
  subAttributes: [],
  ...more,
})
const flag = (name: string): Attribute => text(name, { type: 'boolean' })
const complex = (
  name: string,
  subAttributes: readonly Attribute[],
  more: Partial<Attribute> = {},
): Attribute => text(name, { type: 'complex', subAttributes, ...more })
const many = (name: string, ...extra: readonly Attribute[]): Attribute =>
  complex(name, [text('value'), text('display'), text('type'), flag('primary'), ...extra], {
    multiValued: true,
  })

/** What is kept of a person. Passwords are not: nobody signs in with one here. */
export const USER_ATTRIBUTES: readonly Attribute[] = [
  text('userName', { required: true, uniqueness: 'server' }),
  complex('name', [
    text('formatted'),
    text('familyName'),
    text('givenName'),
    text('middleName'),
    text('honorificPrefix'),
    text('honorificSuffix'),
  ]),
  text('displayName'),
  text('nickName'),
  text('profileUrl', { type: 'reference' }),
  text('title'),
  text('userType'),
  text('preferredLanguage'),
  text('locale'),
  text('timezone'),
  flag('active'),
  many('emails'),
  many('phoneNumbers'),
  complex(
    'addresses',
    [
      text('formatted'),
      text('streetAddress'),
      text('locality'),
      text('region'),
      text('postalCode'),
      text('country'),
      text('type'),
      flag('primary'),
    ],
    { multiValued: true },
  ),
  complex(
    'groups',
    [
      text('value', { caseExact: true }),
      text('display'),
      text('$ref', { type: 'reference', caseExact: true }),
    ],
    {
      multiValued: true,
      mutability: 'readOnly',
    },
  ),
]

export const ENTERPRISE_ATTRIBUTES: readonly Attribute[] = [
  text('employeeNumber'),
  text('costCenter'),
  text('organization'),
  text('division'),
  text('department'),
  complex('manager', [
    text('value'),
    text('$ref', { type: 'reference', caseExact: true }),
    text('displayName'),
  ]),
]

export const GROUP_ATTRIBUTES: readonly Attribute[] = [
  text('displayName', { required: true, uniqueness: 'server' }),
  complex(
    'members',
    [
      text('value', { caseExact: true, mutability: 'immutable' }),
      text('$ref', { type: 'reference', caseExact: true, mutability: 'immutable' }),
      text('display'),
      text('type', { mutability: 'immutable' }),
    ],
    { multiValued: true },
  ),
]

/** What every resource has besides its schema (RFC 7643 §3.1). */
export const COMMON_ATTRIBUTES: readonly Attribute[] = [
  text('id', { caseExact: true, mutability: 'readOnly' }),
  text('externalId', { caseExact: true }),
  complex(
    'meta',
    [
      text('resourceType', { caseExact: true }),
      text('created', { type: 'dateTime' }),
      text('lastModified', { type: 'dateTime' }),
      text('location', { caseExact: true }),
      text('version', { caseExact: true }),
    ],
    { mutability: 'readOnly' },
  ),
]

/** A kind of resource: its schema, its extension, and all attributes at its top. */
export type ResourceKind = {
  readonly name: 'User' | 'Group'
  readonly schema: string
  readonly extension: string | undefined
  readonly attributes: readonly Attribute[]
}

export const USER_KIND: ResourceKind = {
  name: 'User',
  schema: USER_SCHEMA,
  extension: ENTERPRISE_SCHEMA,
  attributes: [...COMMON_ATTRIBUTES, ...USER_ATTRIBUTES, complex(ENTERPRISE_SCHEMA, ENTERPRISE_ATTRIBUTES)],
}

export const GROUP_KIND: ResourceKind = {
  name: 'Group',
  schema: GROUP_SCHEMA,
  extension: undefined,
  attributes: [...COMMON_ATTRIBUTES, ...GROUP_ATTRIBUTES],
}

/** The attribute of a name in any case, or undefined. */
export function attributeNamed(attributes: readonly Attribute[], name: string): Attribute | undefined {
  const wanted = name.toLowerCase()
  return attributes.find((attribute) => attribute.name.toLowerCase() === wanted)
}
