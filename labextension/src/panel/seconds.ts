/** A component that shows time draws itself again each second. */
import * as React from 'react';

/** Redraws the calling component at each full second while it is mounted. */
export function useSeconds(): void {
  const [, tick] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    const timer = window.setInterval(tick, 1000);
    return () => {
      window.clearInterval(timer);
    };
  }, []);
}
