import { useCallback, useEffect, useState } from "react";

const STORAGE_KEY = "cart/v2";

function load() {
  try {
    return JSON.parse(window.localStorage.getItem(STORAGE_KEY)) ?? [];
  } catch (error) {
    console.warn("The saved cart could not be read", error);
    return [];
  }
}

export function useCart() {
  const [lines, setLines] = useState(load);

  useEffect(() => {
    window.localStorage.setItem(STORAGE_KEY, JSON.stringify(lines));
  }, [lines]);

  const add = useCallback((product, quantity = 1) => {
    setLines((current) => {
      const existing = current.find((line) => line.id === product.id);
      if (!existing) {
        return [...current, { id: product.id, name: product.name, price: product.price, quantity }];
      }
      return current.map((line) =>
        line.id === product.id ? { ...line, quantity: line.quantity + quantity } : line
      );
    });
  }, []);

  const remove = useCallback((id) => {
    setLines((current) => current.filter((line) => line.id !== id));
  }, []);

  const total = lines.reduce((sum, line) => sum + line.price * line.quantity, 0);

  return { lines, total, add, remove };
}

export async function checkout(lines, { signal } = {}) {
  const response = await fetch("/api/orders", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ lines: lines.map(({ id, quantity }) => ({ id, quantity })) }),
    signal,
  });
  if (!response.ok) {
    throw new Error(`The order was refused: ${response.status} ${response.statusText}`);
  }
  return response.json();
}
