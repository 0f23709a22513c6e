"""What is really on the glass: a browser shows the console, and pixels tell the truth.

Synthetic cameras burn the capture time into each picture (`protocols.strip`). A probe
in the page reads it from the decoded pixels of each displayed frame and puts it beside
the age that the console computes for the same frame.
"""
