/** What a line says of a request that was turned away, and the metric counts by. */
export const SHED_REASONS = {
  places: 'all places are taken',
  loop: 'the event loop runs late',
} as const
