package bedrock

const CheckLinger = checkLinger
