"""From arrays with any axes to planes (C, Y, X) on one grid."""
