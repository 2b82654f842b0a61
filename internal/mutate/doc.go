// Mutate disables each check of the packages that decide who is signed in, one
// at a time, and shows which test turns red. A check that can be disabled
// without a test noticing is reported as SURVIVED and fails the run.
//
//	go run ./internal/mutate                          everything
//	go run ./internal/mutate jwtverify                one package
//	go run ./internal/mutate -v client:callback.go    one file, with every check
//	go run ./internal/mutate -list                    the checks, with their numbers
//	go run ./internal/mutate -only 17,18 -v           single checks, by number
//
// # What a check is
//
// A refusal is a statement list that ends in one of
//
//   - a return whose last value is an error and not nil (a type named error, or
//     a pointer to a type whose name ends in Error), or, where a function has
//     several results, a call of something named reject, refuse or fail;
//   - a return whose last value is the literal false, and in a function that
//     returns a bool alone also true: what true means there, only its name says;
//   - a bare return of a function without results: nothing more is done;
//   - a return of nil, in a function that returns one value and no error;
//   - an error that is made and assigned to err;
//   - continue, alone: a candidate is passed over.
//
// Checks are
//
//   - each operand of || in the condition of an if, or in an expression of a
//     switch without a tag, whose body is a refusal: disabled, it is false;
//   - each operand of && in the condition of any other if, or in an expression of
//     any other case without a tag: it lets something be done only if all is well,
//     and disabled, it is true;
//   - alternatives inside of such operands, as a and b in (a || b) && c and in
//     !(a && b): disabled, they let the others decide;
//   - a refusing case of a switch with a tag, or a refusing default: disabled,
//     the switch is left, or, where it ends the function, nil or true returned;
//   - if err != nil, where the refusal makes an error of its own, or where err
//     comes from a call that gives nothing but an error: that call is a check,
//     and disabled its verdict is dropped;
//   - each literal string in a list of strings, and among the cases of a switch:
//     disabled, it is one that nothing equals;
//   - each operand of && or || in what a function returns as its bool, and the
//     whole: disabled, they are what lets the other operands decide, and the
//     whole is always false (of ||, always true); so too the operands in what is
//     assigned to a variable;
//   - the refusal at the end of a function that returns only an error (also a
//     call that decides about one) or only a bool: disabled, the opposite is
//     returned.
//
// Not checks: if err != nil that merely passes on, or wraps, the error of a call
// that gives more than an error (without its value there is nothing to go on
// with), the refusal at the end of a function that returns a value too, limits that
// no condition states, as that of an io.LimitReader, and cases that are no literal
// strings and refuse nothing.
//
// # How
//
// All checks are compiled in at once, each behind its number, in copies of the
// files that the go command overlays; one test binary per package. Every test is
// run once to see in which of them a check refuses anything, because disabling
// it can change nothing elsewhere; then, for each check, those tests are run
// with it disabled until one is red: first the one that was red for a check of the
// same function, then vectors, then what is quick. Checks that no test makes refuse
// survive without a run.
//
// A survivor that is meant, such as a second line of defence behind another
// check, stands in survivors.txt with its reason. An entry that no longer
// survives, or no longer exists, fails the run as well.
package main
