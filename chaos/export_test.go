package chaos

// OwnPage reports whether the server answers that path for itself.
func OwnPage(path string) bool { return findOwn(path) != nil }
