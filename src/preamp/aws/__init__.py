"""The AWS wire layer, ignorant of Amplify's behaviour: another service needs only another model file."""
