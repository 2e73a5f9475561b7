// The check digit of card numbers (ISO/IEC 7812-1, annex B).

/** Doubles every second digit from the right, the last one excluded when a check digit follows. */
function sum(digits: string, double_last: boolean): number {
  let total = 0;
  let double = double_last;
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = Number(digits[i]) * (double ? 2 : 1);
    total += digit > 9 ? digit - 9 : digit;
    double = !double;
  }
  return total;
}

export const luhnDigit = (digits: string): string => String((10 - (sum(digits, true) % 10)) % 10);

export const isLuhn = (digits: string): boolean => /^\d+$/.test(digits) && sum(digits, false) % 10 === 0;
