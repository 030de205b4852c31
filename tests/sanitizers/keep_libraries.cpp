// Linked into programs under the leak sanitizer: plugins that MPI unloads at its end would leave allocations without a
// library that tests/sanitizers/lsan.supp could name.
extern "C" int dlclose(void*) { return 0; }
