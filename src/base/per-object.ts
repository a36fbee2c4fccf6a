/** Computes once for each object, and remembers for as long as the object lives. For objects that never change. */
export function perObject<K extends object, V>(compute: (object: K) => V): (object: K) => V {
	const known = new WeakMap<K, V>();
	return (object) => {
		if (!known.has(object)) known.set(object, compute(object));
		return known.get(object) as V;
	};
}
