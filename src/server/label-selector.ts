type Labels = Readonly<Record<string, string>>;

/** Whether the labels have every entry of the selector. An empty selector selects all. */
export function selects(selector: Labels, labels: Labels): boolean {
	return Object.entries(selector).every(
		([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
	);
}
