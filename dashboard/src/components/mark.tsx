/** The mark of the project, in the accent color. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M8 23v-6m5.33 6V9m5.34 14v-9M24 23v-4" />
    </svg>
  );
}
