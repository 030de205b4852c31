4 unfolded "pop"
0 10 4 1
1 0 0 0
