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
//   - continue, alone: a candidate is passed over.
//
// Checks are
//
//   - each operand of || in the condition of an if, or in an expression of a
//     switch without a tag, whose body is a refusal: disabled, it is false;
//   - a refusing case of a switch with a tag, or a refusing default: disabled,
//     the switch is left, or, where it ends the function, nil or true returned;
//   - if err != nil, where the refusal makes an error of its own, or where err
//     comes from a call that gives nothing but an error: that call is a check,
//     and disabled its verdict is dropped;
//   - each operand of && or || in what a function returns as its bool, and the
//     whole: disabled, they are what lets the other operands decide, and the
//     whole is always false (of ||, always true);
//   - the refusal at the end of a function that returns only an error (also a
//     call that decides about one) or only a bool: disabled, the opposite is
//     returned.
//
// Not checks: if err != nil that merely passes on, or wraps, the error of a call
// that gives more than an error (without its value there is nothing to go on
// with), the refusal at the end of a function that returns a value too, and an if
// that does something only when all is well: write it the other way round.
//
// # How
//
// All checks are compiled in at once, each behind its number, in copies of the
// files that the go command overlays; one test binary per package. Every test is
// run once to see in which of them a check refuses anything, because disabling
// it can change nothing elsewhere; then, for each check, those tests are run
// with it disabled until one is red. Checks that no test makes refuse survive
// without a run.
//
// A survivor that is meant, such as a second line of defence behind another
// check, stands in survivors.txt with its reason. An entry that no longer
// survives, or no longer exists, fails the run as well.
package main
