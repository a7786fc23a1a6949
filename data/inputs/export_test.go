package inputs

const Young = young
