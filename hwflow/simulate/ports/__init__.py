"""Types of input ports: proposed from data where no quantiser says one; and what they lose."""
