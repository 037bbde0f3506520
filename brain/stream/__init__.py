"""The streaming engine: decode → detect → crop → embed → write.

``source`` lists what is to be done, ``engine`` does it, ``writer`` hands the
results on in a thread of its own. Nothing here grows with the data set.
"""
