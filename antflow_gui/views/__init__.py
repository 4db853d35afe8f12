"""The widgets a person looks at: header, stages, lists, panels; each is given plain values."""
