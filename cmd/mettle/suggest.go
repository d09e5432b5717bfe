package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearFlag is the flag of cmd that was probably meant by name, or "".
func nearFlag(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	return nearest(name, known)
}

// nearest is the word that was probably meant by name, or "": name begins it, or at most two slips of the keyboard lead from one to
// the other, which must be fewer than half of the letters.
func nearest(name string, words []string) string {
	best, found := 3, ""
	for _, w := range words {
		slips := distance(name, w)
		if len(name) >= 3 && strings.HasPrefix(w, name) {
			slips = 1
		}
		if slips < best && 2*slips < len(name) {
			best, found = slips, w
		}
	}
	return found
}

// distance is how many bytes must be added, left out, changed or swapped with their neighbor to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1) // by how much of a and of b is compared
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range b {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
